package serve

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
)

// certificate is what the server shows of itself to clients of TLS. At SIGHUP it is read again, for the connections
// that come from then on.
type certificate struct {
	cert, key string
	now       atomic.Pointer[tls.Certificate]
	again     chan os.Signal
}

// openCertificate reads a certificate and its key; nil: the server has none.
func openCertificate(cert, key string) (*certificate, error) {
	if cert == "" {
		return nil, nil
	}
	c := &certificate{cert: cert, key: key, again: make(chan os.Signal, 1)}
	if err := c.read(); err != nil {
		return nil, err
	}
	signal.Notify(c.again, hangUp)
	return c, nil
}

// read reads both files. After an error all is as before.
func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("-cert and -key: %w", err)
	}
	c.now.Store(&pair)
	return nil
}

// config has the certificate of each moment.
func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.now.Load(), nil
	}}
}

// run reads again whenever it is to, until quit is closed. reload is told around it. A goroutine's.
func (c *certificate) run(quit <-chan struct{}, reload func(func() error) error, stderr io.Writer) {
	defer signal.Stop(c.again)
	for {
		select {
		case <-c.again:
		case <-quit:
			return
		}
		if err := reload(c.read); err != nil {
			fmt.Fprintf(stderr, "the certificate is as before: %v\n", err)
		}
	}
}
