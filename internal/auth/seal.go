package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Sealer makes texts that only who knows the signing key can read or make, until a moment: what one node hands out
// and another takes back, without either writing it down. What is sealed for one purpose is nothing for another.
// It may be used from any goroutine.
type Sealer struct {
	boxes []cipher.AEAD // the first one seals, all open
	now   func() time.Time
}

// Sealer returns the sealer for a purpose.
func (s *Service) Sealer(purpose string) *Sealer {
	sealer := &Sealer{now: s.now}
	for _, key := range s.keys.all {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("presence sealed: " + purpose))
		block, err := aes.NewCipher(mac.Sum(nil)) // 256 bits
		if err != nil {
			panic(err) // a key of that size cannot be refused
		}
		box, err := cipher.NewGCM(block)
		if err != nil {
			panic(err) // nor the usual size of a block
		}
		sealer.boxes = append(sealer.boxes, box)
	}
	return sealer
}

// Seal makes a text for URLs of what it is given, good for so long.
func (s *Sealer) Seal(content []byte, life time.Duration) string {
	box := s.boxes[0]
	nonce := make([]byte, box.NonceSize(), 64+len(content))
	rand.Read(nonce) // never fails (crypto/rand)
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(life).UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(box.Seal(nonce, nonce, append(plain, content...), nil))
}

// Open returns what was sealed, and false when it was not, or is over.
func (s *Sealer) Open(text string) ([]byte, bool) {
	if len(text) > 2*MaxToken {
		return nil, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, false
	}
	for _, box := range s.boxes {
		n := box.NonceSize()
		if len(sealed) < n {
			return nil, false
		}
		plain, err := box.Open(nil, sealed[:n], sealed[n:], nil)
		if err == nil && len(plain) >= 8 && s.now().UnixMilli() < int64(binary.BigEndian.Uint64(plain)) {
			return plain[8:], true
		}
	}
	return nil, false
}
