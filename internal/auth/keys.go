package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// MinKey is the least length of a signing key in bytes: HS256 is as strong as its key up to 256 bits.
const MinKey = 32

// Keys are the HS256 keys: the first one signs, all of them verify. To rotate, put the new key first and
// keep the old one until the last token it signed has ended (the refresh lifetime). The zero value has no
// keys and is refused by New. Keys may be copied and used from any goroutine.
type Keys struct {
	all  [][]byte
	pool *sync.Pool // of *workspace
}

// workspace is what one check of a token needs, kept so that a check allocates nothing.
type workspace struct {
	macs    []hash.Hash // one a key
	text    [maxOwnToken]byte
	payload [maxOwnToken]byte
	sum     [sha256.Size]byte
	sig     [signatureLength]byte
}

// NewKeys takes the signing key and the older ones that still verify. A key is used as the bytes it is, as
// SimpleJWT uses Django's SECRET_KEY, and has at least MinKey of them.
func NewKeys(signing []byte, older ...[]byte) (Keys, error) {
	all := append([][]byte{signing}, older...)
	for i, key := range all {
		if err := checkKey(key); err != nil {
			return Keys{}, fmt.Errorf("signing key %d of %d: %w", i+1, len(all), err)
		}
	}
	k := Keys{all: all}
	k.pool = &sync.Pool{New: func() any {
		w := &workspace{}
		for _, key := range all {
			w.macs = append(w.macs, hmac.New(sha256.New, key))
		}
		return w
	}}
	return k, nil
}

func checkKey(key []byte) error {
	if len(key) < MinKey {
		return fmt.Errorf("it has %d bytes and needs at least %d: use 32 or more random characters, "+
			"or configure none and one is made at the first start", len(key), MinKey)
	}
	return nil
}

// LoadOrCreateKey reads the signing key from a file, or makes a random one of 256 bits there when there is
// no file. The key is the text of the file without the line end. The file is made whole or not at all, with
// mode 0600; a file that others may read is refused, and so is a key that is too short.
func LoadOrCreateKey(path string) ([]byte, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil {
		return nil, fmt.Errorf("make signing key %s: %w", path, err)
	}
	return loadKey(path) // which may be another process's, made at the same moment
}

func loadKey(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("signing key %s is not a file", path)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("signing key %s may be read by others (mode %04o): run chmod 600 %s", path, mode, path)
	}
	if info.Size() > 64<<10 {
		return nil, fmt.Errorf("signing key %s has %d bytes: that is not a key", path, info.Size())
	}
	text := make([]byte, info.Size())
	if n, err := file.ReadAt(text, 0); n < len(text) {
		return nil, fmt.Errorf("read signing key %s: %w", path, err)
	}
	key := []byte(strings.TrimRight(string(text), "\r\n"))
	if err := checkKey(key); err != nil {
		return nil, fmt.Errorf("signing key %s: %w (remove the file for that; all tokens end then)", path, err)
	}
	return key, nil
}

// createKey writes a new key beside its place, makes it durable and links it there, which fails rather than
// replaces when somebody else was faster.
func createKey(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	raw := make([]byte, MinKey)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(base64.RawURLEncoding.EncodeToString(raw) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); runtime.GOOS != "windows" && err != nil {
		d.Close()
		return err
	}
	return d.Close()
}
