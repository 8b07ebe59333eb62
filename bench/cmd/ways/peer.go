//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// bePeer is the peer's process, of GROUP/CELL.
func bePeer(name string, args []string) error {
	g, c, _, err := find(name)
	if err != nil {
		return err
	}
	ports := make([]int, len(args))
	for i := range args {
		if ports[i], err = strconv.Atoi(args[i]); err != nil {
			return err
		}
	}
	if err := g.peer(c, ports); err != nil {
		return fmt.Errorf("the peer of %s: %w", name, err)
	}
	return nil
}

func connectAll(kind int, ports []int) (fds []int, err error) {
	for _, port := range ports {
		fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, os.NewSyscallError("socket", err)
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return nil, os.NewSyscallError("connect", err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}
