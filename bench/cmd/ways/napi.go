//go:build linux

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

var napi = group{name: "napi", unit: "datagrams", paced: true, peer: sendTurns,
	cells: []cell{{"1x64x1", 1, 64, 1, 8_000}},
	ways:  []way{{"off", multishot(nil)}, {"dynamic", busyPoll}},
}

// busyPoll is multishot on a ring that is to poll the queues of network cards.
func busyPoll(j *job) error {
	var fd int
	err := multishotOn(j, nil, func(r *uring.Ring, fds []int) error {
		fd = fds[0]
		_, err := r.RegisterNAPI(uring.NAPI{BusyPoll: 50 * time.Microsecond, Prefer: true, Tracking: uring.NAPIDynamic})
		return err
	})
	if err != nil {
		return err
	}
	id, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)
	j.extra = fmt.Sprintf("the socket's NAPI id is %d", id)
	return err
}
