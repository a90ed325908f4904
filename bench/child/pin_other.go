//go:build !linux

package child

import "errors"

var errNoPinning = errors.New("processes can be bound to a processor on Linux only")

func on(int, func() error) error { return errNoPinning }
