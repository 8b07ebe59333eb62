//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// boot is the life of process 1. It does not return.
func boot() {
	if err := errors.Join(mountAll(), mountDisk(), loopbackUp(), raiseFiles(), nameLocalhost()); err != nil {
		fmt.Println("guest: FAILED to set up:", err)
		powerOff()
	}
	os.Setenv("PATH", "/bin")
	os.Setenv("HOME", "/tmp")
	runner, err := syscall.ForkExec(self, []string{self, "run", "/plan"}, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		fmt.Println("guest: FAILED to start the plan:", err)
		powerOff()
	}
	// Whatever loses its parent becomes a child of this process.
	for {
		if pid, err := syscall.Wait4(-1, nil, 0, nil); pid == runner || err == syscall.ECHILD {
			powerOff()
		}
	}
}

func powerOff() {
	syscall.Sync()
	err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	panic(fmt.Sprint("guest: power off: ", err)) // the kernel panics when process 1 ends, which ends the machine too
}

func mountAll() error {
	var errs []error
	for _, m := range []struct{ kind, dir, data string }{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"devtmpfs", "/dev", ""},
		{"devpts", "/dev/pts", ""},
		{"tmpfs", "/tmp", "mode=1777,size=256m"},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			errs = append(errs, err)
		}
		// EBUSY: the kernel has mounted it by itself.
		if err := syscall.Mount(m.kind, m.dir, m.kind, 0, m.data); err != nil && err != syscall.EBUSY {
			errs = append(errs, &os.PathError{Op: "mount", Path: m.dir, Err: err})
		}
	}
	return errors.Join(errs...)
}

// diskPatience bounds the search for a disk, which the kernel goes on with after it has started this process.
const diskPatience = 10 * time.Second

// mountDisk mounts the disk that the kernel's command line names as disk=/dev/..., if it does, on /var/tmp: a file
// system that knows O_DIRECT, as the others here do not on each kernel.
func mountDisk() error {
	disk := os.Getenv("disk") // what the kernel does not know itself it hands on
	if disk == "" {
		return nil
	}
	if err := os.MkdirAll("/var/tmp", 0o755); err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(disk); err == nil {
			break
		} else if time.Since(begin) > diskPatience {
			return err
		}
	}
	if err := syscall.Mount(disk, "/var/tmp", "ext4", 0, ""); err != nil {
		return &os.PathError{Op: "mount", Path: disk, Err: err}
	}
	return os.Chmod("/var/tmp", 0o777|os.ModeSticky)
}

// raiseFiles lets programs have as many descriptors as they do on a usual system, and the tests of many more if they
// raise the soft limit themselves.
func raiseFiles() error {
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1 << 16, Max: 1 << 20})
}

// nameLocalhost gives the resolver the one name that every system has.
func nameLocalhost() error {
	if err := os.MkdirAll("/etc", 0o755); err != nil {
		return err
	}
	return os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644)
}

const loopback = 1 // the index that the first device of a network namespace has

// loopbackUp asks the kernel by netlink, which takes bytes, where ioctl(2) would take an address. See rtnetlink(7).
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	defer syscall.Close(fd)

	const headerLen, infoLen = syscall.SizeofNlMsghdr, syscall.SizeofIfInfomsg
	order := binary.NativeEndian
	msg := make([]byte, headerLen+infoLen)
	order.PutUint32(msg[0:], uint32(len(msg)))
	order.PutUint16(msg[4:], syscall.RTM_NEWLINK)
	order.PutUint16(msg[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	info := msg[headerLen:]
	order.PutUint32(info[4:], loopback)
	order.PutUint32(info[8:], syscall.IFF_UP)  // the flags
	order.PutUint32(info[12:], syscall.IFF_UP) // those of them to change
	if err := syscall.Sendto(fd, msg, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return fmt.Errorf("loopback up: %w", err)
	}

	ack := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(fd, ack, 0)
	if err != nil || n < headerLen+4 || order.Uint16(ack[4:]) != syscall.NLMSG_ERROR {
		return fmt.Errorf("loopback up: %d bytes of answer, %v", n, err)
	}
	if errno := -int32(order.Uint32(ack[headerLen:])); errno != 0 {
		return fmt.Errorf("loopback up: %w", syscall.Errno(errno))
	}
	return nil
}
