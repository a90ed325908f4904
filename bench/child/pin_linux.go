package child

import (
	"errors"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// on runs start with this thread bound to a processor; a process started meanwhile inherits that.
func on(cpu int, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	only.Set(cpu)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return start()
}

// Pin binds all threads of this process to one processor, and those that they will make.
func Pin(cpu int) error {
	var only unix.CPUSet
	only.Set(cpu)
	return bind(only)
}

// Unpin lets all threads of this process run where they could before.
func Unpin(before unix.CPUSet) error { return bind(before) }

func bind(to unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &to); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}
