package socktls_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
)

// A forger is a client of TLS 1.3 that writes whatever records it likes. It reads as crypto/tls does.
type forger struct {
	*tls.Conn
	raw    net.Conn
	secret []byte // of what it writes
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// forge does the handshake.
func forge(raw net.Conn) (*forger, error) {
	var keys bytes.Buffer
	config := only(tls.VersionTLS13, clientConfig())
	config.KeyLogWriter = &keys
	f := &forger{Conn: tls.Client(raw, config), raw: raw}
	if err := f.Handshake(); err != nil {
		return nil, err
	}
	if suite := f.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		return nil, fmt.Errorf("the forger knows no %s", tls.CipherSuiteName(suite))
	}
	for line := range strings.Lines(keys.String()) {
		if words := strings.Fields(line); words[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(words[2])
			if err != nil {
				return nil, err
			}
			return f, f.rekey(secret)
		}
	}
	return nil, fmt.Errorf("no secret in %q", keys.String())
}

func (f *forger) rekey(secret []byte) error {
	key, err := expand(secret, "key", 16)
	if err != nil {
		return err
	}
	if f.iv, err = expand(secret, "iv", 12); err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	f.secret, f.seq = secret, 0
	f.aead, err = cipher.NewGCM(block)
	return err
}

// expand is HKDF-Expand-Label of RFC 8446 without a context.
func expand(secret []byte, label string, n int) ([]byte, error) {
	info := []byte{byte(n >> 8), byte(n), byte(len("tls13 ") + len(label))}
	info = append(info, "tls13 "+label...)
	return hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
}

// The types of records.
const (
	typeAlert       = 21
	typeHandshake   = 22
	typeApplication = 23
)

// seal makes a record.
func (f *forger) seal(kind byte, text ...byte) []byte {
	nonce := bytes.Clone(f.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(f.seq >> (56 - 8*i))
	}
	f.seq++
	inner := append(bytes.Clone(text), kind)
	record := []byte{typeApplication, 3, 3}
	record = binary.BigEndian.AppendUint16(record, uint16(len(inner)+f.aead.Overhead()))
	return f.aead.Seal(record, nonce, inner, record)
}

// keyUpdate makes a record that asks for new keys and tells of new ones, and uses those from then on.
func (f *forger) keyUpdate() []byte {
	record := f.seal(typeHandshake, 24, 0, 0, 1, 1)
	next, err := expand(f.secret, "traffic upd", sha256.Size)
	if err == nil {
		err = f.rekey(next)
	}
	if err != nil {
		panic(err)
	}
	return record
}

// badRecord is one that nobody can open.
func badRecord() []byte { return append([]byte{typeApplication, 3, 3, 0, 32}, make([]byte, 32)...) }
