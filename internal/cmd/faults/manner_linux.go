//go:build linux

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"time"
)

// manner is a kind of server for chains: a command, its configuration, and its clients.
type manner struct {
	name, command string
	proxies       bool // passes connections on to a backend in this process
	config        func(t *trial, site string) (string, error)
	visitors      []visitors
}

const (
	limits = "loops = 2\nconns = 40\npeer-conns = 20\nidle = '10s'\nretire = '1h'\n"
	crowds = 30 // connections of one peer at once: more than peer-conns

	siteKept = 3 // files that each loop of a server keeps open
)

var manners = []*manner{
	{"tcp", "proxy", true, proxyTCP, tcpVisitors},
	{"http", "proxy", true, proxyHTTP, slices.Concat(webVisitors, proxyVisitors)},
	{"serve", "serve", false, serveFiles, webVisitors},
}

// patient has times so long that nothing fails on a busy machine.
const patient = "dial = '1m'\ncheck = '500ms'\n"

func proxyTCP(t *trial, _ string) (string, error) {
	one, err := t.backend()
	if err != nil {
		return "", err
	}
	two, err := t.backend()
	return fmt.Sprintf(limits+patient+"to = ['%s?weight=2', '%s']\nbalance = 'two'\n", one, two), err
}

// proxyHTTP has upstreams with a max, so that requests wait for one, too.
func proxyHTTP(t *trial, _ string) (string, error) {
	one, err := t.webBackend()
	if err != nil {
		return "", err
	}
	two, err := t.webBackend()
	const web = "http = true\nanswer = '1m'\ncheck-http = '/f1.bin'\n"
	return fmt.Sprintf(limits+patient+web+"to = ['%s?max=6', '%s?max=6']\n", one, two), err
}

func serveFiles(_ *trial, site string) (string, error) {
	return fmt.Sprintf(limits+"files = %d\nfresh = '100ms'\ndir = %q\n", siteKept, site), nil
}

// webBackend is a server in this process that has the site's files. It echoes the body of a POST, and what comes after
// an upgrade.
func (t *trial) webBackend() (string, error) {
	ln, err := t.listen()
	if err != nil {
		return "", err
	}
	var files [siteFiles][]byte
	mux := http.NewServeMux()
	for i := range uint64(siteFiles) {
		var name string
		name, files[i] = siteFile(i)
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(files[i]))
		})
	}
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			w.Write(body)
		}
	})
	mux.HandleFunc("GET /upgrade", func(w http.ResponseWriter, r *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(c, buffered)
	})
	server := &http.Server{Handler: mux}
	t.atEnd(func() { server.Close() })
	go server.Serve(ln)
	return ln.Addr().String(), nil
}

// makeCertificate writes a certificate for loopback addresses, and its key.
func makeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	one := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(48 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, one, one, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	write := func(name, kind string, bytes []byte) error {
		return os.WriteFile(dir+"/"+name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600)
	}
	return errors.Join(write("cert", "CERTIFICATE", cert), write("key", "PRIVATE KEY", private))
}
