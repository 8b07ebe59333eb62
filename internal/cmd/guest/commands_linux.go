//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const rlimitMemlock = 8 // missing in package syscall; the same on all architectures that Go has

// with becomes another command:
//
//	with [NAME=VALUE...] [-uid N] [-memlock BYTES] [-nofile N] [-noproc] COMMAND
func with(args []string) error {
	for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "-") {
		name, value, _ := strings.Cut(args[0], "=")
		os.Setenv(name, value)
		args = args[1:]
	}
	f := flag.NewFlagSet("with", flag.ContinueOnError)
	uid := f.Int("uid", 0, "the `user` and group to run as")
	memlock := f.Int64("memlock", -1, "RLIMIT_MEMLOCK in `bytes`")
	nofile := f.Int64("nofile", -1, "RLIMIT_NOFILE")
	noproc := f.Bool("noproc", false, "without /proc")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return errors.New("with what command?")
	}
	runtime.LockOSThread() // a mount namespace belongs to a thread, and exec keeps that of its caller
	if *noproc {
		err := syscall.Unshare(syscall.CLONE_NEWNS)
		if err == nil {
			err = syscall.Unmount("/proc", syscall.MNT_DETACH)
		}
		if err != nil {
			return fmt.Errorf("unmounting /proc: %w", err)
		}
	}
	for resource, n := range map[int]int64{rlimitMemlock: *memlock, syscall.RLIMIT_NOFILE: *nofile} {
		if n < 0 {
			continue
		}
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: uint64(n), Max: uint64(n)}); err != nil {
			return fmt.Errorf("setrlimit %d to %d: %w", resource, n, err)
		}
	}
	if *uid != 0 {
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(*uid), syscall.Setuid(*uid)); err != nil {
			return fmt.Errorf("becoming user %d: %w", *uid, err)
		}
	}
	argv := resolve(f.Args())
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, argv, os.Environ()))
}

// expect runs a command that ends by itself:
//
//	expect [-status N] REGEXP COMMAND
func expect(args []string) error {
	f := flag.NewFlagSet("expect", flag.ContinueOnError)
	status := f.Int("status", 0, "the exit `code` to come")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() < 2 {
		return errors.New("expect what of which command?")
	}
	want, err := regexp.Compile("(?m)" + f.Arg(0))
	if err != nil {
		return err
	}
	cmd := command(f.Args()[1:])
	output, err := cmd.CombinedOutput()
	os.Stdout.Write(output)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	if got := cmd.ProcessState.ExitCode(); got != *status {
		return fmt.Errorf("exit code %d, want %d", got, *status)
	}
	if !want.Match(output) {
		return fmt.Errorf("no line like %s", f.Arg(0))
	}
	return nil
}

// echo starts a server, has load verify what it echoes, and asks it to end:
//
//	echo [-kill] SERVER... -- LOAD'S ARGUMENTS...
//
// The server's log and the load's result are the output. An argument {pid} is the server's process. With -kill the
// server is one that does not end by itself: it is killed.
func echo(args []string) error {
	stop := syscall.SIGTERM
	if len(args) > 0 && args[0] == "-kill" {
		stop, args = syscall.SIGKILL, args[1:]
	}
	cut := slices.Index(args, "--")
	if cut < 1 {
		return errors.New("echo by which server, and with what load?")
	}
	server := command(args[:cut])
	stderr, err := server.StderrPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	// The output is read to its end before Wait closes the pipe.
	address, logged := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(logged)
		defer close(address)
		log := io.TeeReader(stderr, os.Stdout)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == "listening" {
				address <- strings.TrimPrefix(words[1], "tcp://")
				break
			}
		}
		io.Copy(io.Discard, log)
	}()
	var loadErr error
	var said bytes.Buffer // written after the server's output, which may be long
	if addr, ok := <-address; ok {
		loadArgs := append([]string{"-addr", addr}, args[cut+1:]...)
		if i := slices.Index(loadArgs, "{pid}"); i >= 0 {
			loadArgs[i] = strconv.Itoa(server.Process.Pid)
		}
		load := exec.Command("load", loadArgs...)
		load.Stdout, load.Stderr = &said, &said
		if loadErr = load.Run(); loadErr != nil {
			loadErr = fmt.Errorf("load: %w", loadErr)
		}
		server.Process.Signal(stop)
	} else {
		loadErr = errors.New("the server listens nowhere")
	}
	<-logged
	err = server.Wait()
	os.Stdout.Write(said.Bytes())
	if stop == syscall.SIGKILL && server.ProcessState.Sys().(syscall.WaitStatus).Signal() == stop {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", args[0], err)
	}
	return errors.Join(loadErr, err)
}
