//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// boot is the life of process 1. It does not return.
func boot() {
	err := errors.Join(mountAll(), loadModules(), mountDisk(), loopbackUp(), raiseFiles(), nameLocalhost())
	if err != nil {
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
	// Processes whose parent ends become children of this process, so it waits for any child.
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

// diskPatience bounds the search for a disk. The kernel may find the disk only after it has started this process.
const diskPatience = 10 * time.Second

// mountDisk mounts the disk of the kernel's parameter disk=/dev/..., if there is one, on /var/tmp. It has a file system
// with O_DIRECT, which the others here lack on some kernels.
func mountDisk() error {
	disk := os.Getenv("disk") // the kernel passes unknown parameters on in the environment
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

// loadModules loads the kernel's modules of /modules, in the order of their names, if there are any.
func loadModules() error {
	const dir = "/modules"
	all, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, m := range all {
		f, failed := os.Open(filepath.Join(dir, m.Name()))
		if failed == nil {
			if failed = unix.FinitModule(int(f.Fd()), "", 0); failed != nil {
				failed = &os.PathError{Op: "finit_module", Path: f.Name(), Err: failed}
			}
			f.Close()
		}
		err = errors.Join(err, failed)
	}
	return err
}

// raiseFiles sets the soft limit of descriptors as on a usual system, and a higher hard limit for tests that raise it.
func raiseFiles() error {
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1 << 16, Max: 1 << 20})
}

// nameLocalhost writes an /etc/hosts with the one name that every system has.
func nameLocalhost() error {
	if err := os.MkdirAll("/etc", 0o755); err != nil {
		return err
	}
	return os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644)
}

const loopback = 1 // index of the first device in a network namespace

// loopbackUp brings the loopback device up by netlink, which takes bytes; ioctl(2) would take an address. See
// rtnetlink(7).
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
	order.PutUint32(info[12:], syscall.IFF_UP) // mask of the flags to change
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
