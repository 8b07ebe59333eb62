//go:build !linux

package uring

import "runtime"

func probe(*Config, func(*Report)) (*Report, error) {
	r := &Report{System: runtime.GOOS + " " + runtime.GOARCH}
	_, err := Open(EntriesMin, nil)
	r.refuse(err)
	return r, nil
}

func (*Report) askAll()      {}
func (*Report) ask([]string) {}
