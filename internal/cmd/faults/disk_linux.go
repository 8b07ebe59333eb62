//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// mounted mounts a file system for the trial, in a folder that it makes. The end of the trial unmounts it.
func (t *trial) mounted(name string, args ...string) (dir string, err error) {
	dir = t.dir + "/" + name
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := command("mount", append(args, dir)...); err != nil {
		return "", skip("no file system of our own: %v", err)
	}
	t.atEnd(func() { t.unmount(dir) })
	return dir, nil
}

func (t *trial) unmount(dir string) error { return command("umount", dir) }

// command runs a program of the system. Its error has what that printed.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// image makes a file system in a sparse file of so many bytes.
func (t *trial) image(path string, size int64, mkfs string, args ...string) error {
	if _, err := exec.LookPath(mkfs); err != nil {
		return skip("there is no %s", mkfs)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	return command(mkfs, append(args, path)...)
}

const noSpace = "no space left on device"

func fullCases(*options, *regexp.Regexp) (cases []*testCase, err error) {
	for _, driver := range drivers {
		cases = append(cases,
			&testCase{"full/keeper/tmpfs/" + driver, func(t *trial) error {
				dir, err := t.mounted("full", "-t", "tmpfs", "-o", "size=3m", "faults")
				if err != nil {
					return err
				}
				return fillAndGrow(t, driver, dir, func() error {
					return command("mount", "-o", "remount,size=100m", dir)
				})
			}},
			&testCase{"full/keeper/ext4/" + driver, func(t *trial) error {
				err := t.image(t.dir+"/image", 8<<20, "mkfs.ext4", "-q", "-F", "-J", "size=1", "-b", "1024")
				if err != nil {
					return err
				}
				dir, err := t.mounted("full", "-o", "loop", t.dir+"/image")
				if err != nil {
					return err
				}
				const filler = 4 << 20
				if err := os.WriteFile(dir+"/filler", noise(1, filler), 0o600); err != nil {
					return err
				}
				return fillAndGrow(t, driver, dir, func() error { return os.Remove(dir + "/filler") })
			}},
			&testCase{"full/log of serve/" + driver, func(t *trial) error {
				dir, err := t.mounted("full", "-t", "tmpfs", "-o", "size=64k", "faults")
				if err != nil {
					return err
				}
				if err := os.WriteFile(dir+"/filler", make([]byte, 60<<10), 0o600); err != nil {
					return err
				}
				return serveWithLog(t, driver, func(*exec.Cmd) {}, dir+"/log", noSpace)
			}})
	}
	return cases, nil
}

// fillAndGrow fills a store until the disk is full, makes room, and checks that the store goes on from there.
func fillAndGrow(t *trial, driver, dir string, grow func() error) error {
	k := newKept(dir + "/store")
	if err := os.Mkdir(k.dir, 0o755); err != nil {
		return err
	}
	if err := k.fill(t, driver, func(*exec.Cmd) {}, noSpace); err != nil {
		return err
	}
	before := len(k.said)
	if err := grow(); err != nil {
		return err
	}
	const more = 100
	g, _, err := k.feed(t, t.command(driver, "keeper", k.dir), wrapper{}, 10_000, more)
	if err != nil {
		return err
	}
	if err := g.wait("the last record"); err != nil {
		return err
	}
	if g.code() != 0 || len(k.said) != before+more {
		return fmt.Errorf("with room again: exit code %d, %d of %d records kept", g.code(), len(k.said)-before, more)
	}
	return k.verify(t, driver)
}

const ioError = "input/output error"

func eioCases(*options, *regexp.Regexp) (cases []*testCase, err error) {
	for _, driver := range drivers {
		cases = append(cases,
			&testCase{"eio/write/keeper/" + driver, func(t *trial) error { return keepOnBadDisk(t, driver) }},
			&testCase{"eio/read/serve/" + driver, func(t *trial) error { return serveBadDisk(t, driver) }},
			&testCase{"eio/read/keeper/" + driver, func(t *trial) error { return openOnBadDisk(t, driver) }})
	}
	return cases, nil
}

// keepOnBadDisk runs a keeper on an ext4 in a sparse file, whose own file system has less room than the ext4: a block
// for which there is none is an I/O error of the disk. Then it makes room, and checks that what was synced before is
// there.
func keepOnBadDisk(t *trial, driver string) error {
	small, err := t.mounted("small", "-t", "tmpfs", "-o", "size=5m", "faults")
	if err != nil {
		return err
	}
	image := small + "/image"
	if err := t.image(image, 64<<20, "mkfs.ext4", "-q", "-F", "-J", "size=1", "-b", "1024", "-N", "32"); err != nil {
		return err
	}
	dir, err := t.mounted("disk", "-o", "loop", image)
	if err != nil {
		return err
	}
	k := newKept(dir + "/store")
	if err := os.Mkdir(k.dir, 0o755); err != nil {
		return err
	}
	g, _, err := k.feed(t, t.command(driver, "keeper", k.dir), wrapper{}, 0, 5000)
	if err != nil {
		return err
	}
	if err := g.wait("the last record"); err != nil {
		return err
	}
	t.note("exit code %d, %d records kept", g.code(), len(k.said))
	if err := g.clearEnd(ioError, noSpace, "read-only file system"); err != nil {
		return err
	}
	if len(k.said) == 0 {
		return errors.New("the disk failed before anything was kept: the case shows nothing")
	}
	if err := t.unmount(dir); err != nil {
		return err
	}
	if err := command("mount", "-o", "remount,size=200m", small); err != nil {
		return err
	}
	if err := command("mount", "-o", "loop", image, dir); err != nil {
		return err
	}
	return k.verify(t, driver)
}

// badDisk makes a btrfs, calls fill, and spoils the block that begins with the bytes that fill returned. Its checksum
// is wrong then, so that reading it is an I/O error of the file system.
func (t *trial) badDisk(fill func(dir string) (spoil []byte, err error)) (dir string, err error) {
	image := t.dir + "/image"
	if err := t.image(image, 200<<20, "mkfs.btrfs", "-q", "-f"); err != nil {
		return "", err
	}
	if dir, err = t.mounted("disk", "-o", "loop", image); err != nil {
		return "", err
	}
	bad, err := fill(dir)
	if err != nil {
		return "", err
	}
	if err := t.unmount(dir); err != nil {
		return "", err
	}
	disk, err := os.ReadFile(image)
	if err != nil {
		return "", err
	}
	at := bytes.Index(disk, bad)
	if at < 0 {
		return "", errors.New("the bytes to be spoilt are not on the disk")
	}
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	_, err = f.WriteAt([]byte{^bad[0]}, int64(at))
	return dir, errors.Join(err, f.Close(), command("mount", "-o", "loop", image, dir))
}

// serveBadDisk requests a file with a bad block, and others. The answer with that file has to break off, without a
// wrong byte.
func serveBadDisk(t *trial, driver string) error {
	const spoilt = 4 // of the files
	dir, err := t.badDisk(func(dir string) ([]byte, error) {
		_, body := siteFile(spoilt)
		const block = 4096
		return body[10*block : 11*block], makeSite(dir)
	})
	if err != nil {
		return err
	}
	s := serverNamed("serve")
	p, err := t.start(t.command(driver, s.program, "serve", "-listen", anyPort, dir))
	if err != nil {
		return err
	}
	addr, err := p.find(s.where)
	if err != nil {
		return err
	}
	w := &crowd{server: s, addr: addr}
	for seed := range uint64(10 * siteFiles) {
		c, err := dialPeer(addr)
		if err != nil {
			return err
		}
		err = s.protocol.ask(c, seed)
		c.Close()
		if bad := seed%siteFiles == spoilt; isCut(err) != bad || !bad && err != nil {
			return fmt.Errorf("file %d, of which %d is bad: %w", seed%siteFiles, spoilt, err)
		}
	}
	if err := w.drain(p); err != nil {
		return err
	}
	if p.code() != 0 {
		return fmt.Errorf("exit code %d", p.code())
	}
	return nil
}

// openOnBadDisk opens a store whose log can't be read.
func openOnBadDisk(t *trial, driver string) error {
	var k *kept
	dir, err := t.badDisk(func(dir string) ([]byte, error) {
		k = newKept(dir)
		g, _, err := k.feed(t, t.command(driver, "keeper", dir), wrapper{}, 0, 200)
		if err != nil {
			return nil, err
		}
		if err := g.wait("the last record"); err != nil || g.code() != 0 {
			return nil, errors.Join(err, errors.New("there is no store"))
		}
		_, value := record(150)
		return []byte(value), nil
	})
	if err != nil {
		return err
	}
	cmd := t.command(driver, "keeper", "-get", dir)
	cmd.Stdin = strings.NewReader("key1\n")
	p, err := t.start(cmd)
	if err != nil {
		return err
	}
	if err := p.wait("its start"); err != nil {
		return err
	}
	return p.clearEnd(ioError)
}
