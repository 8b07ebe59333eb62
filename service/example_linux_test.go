//go:build linux

package service_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"

	"ringo"
	"ringo/service"
)

// systemd stands for the manager of services that starts the program. said prints its next message.
func systemd() (said func(), end func()) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	name := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		log.Fatal(err)
	}
	os.Setenv("NOTIFY_SOCKET", name)
	said = func() {
		p := make([]byte, 4096)
		n, err := c.Read(p)
		if err != nil {
			log.Fatal(err)
		}
		first, _, _ := strings.Cut(string(p[:n]), "\n")
		fmt.Println("the manager gets", first)
	}
	return said, func() {
		os.Unsetenv("NOTIFY_SOCKET")
		c.Close()
		os.RemoveAll(dir)
	}
}

// The manager learns by itself when all loops have started, and when the program begins to end.
func ExampleManager_Started() {
	said, end := systemd()
	defer end()
	m, err := service.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	cfg := &ringo.Config{Loops: 2, Start: m.Started}
	err = ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		stop() // as a signal would; a server serves here, until ctx ends
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	said()
	said()
	// Output:
	// the manager gets READY=1
	// the manager gets STOPPING=1
}

// What the program does at present is shown by systemctl status.
func ExampleManager_Status() {
	said, end := systemd()
	defer end()
	m, err := service.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if err := m.Status("waits for the database"); err != nil {
		log.Fatal(err)
	}
	said()
	// Output: the manager gets STATUS=waits for the database
}

// The manager gets a message before and after the program reads its configuration anew, as it does on SIGHUP.
func ExampleManager_Reload() {
	said, end := systemd()
	defer end()
	m, err := service.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	err = m.Reload(func() error {
		fmt.Println("the configuration is read")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	said()
	said()
	// Output:
	// the configuration is read
	// the manager gets RELOADING=1
	// the manager gets READY=1
}
