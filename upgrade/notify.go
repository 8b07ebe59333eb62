package upgrade

import (
	"fmt"
	"net"
	"os"
	"time"

	"ringo/internal/kernel"
)

// notify tells the service manager, if there is one that wants to know: sd_notify(3).
func (u *Upgrader) notify(state string) {
	at := os.Getenv("NOTIFY_SOCKET")
	if at == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: at, Net: "unixgram"})
	if err == nil {
		c.SetWriteDeadline(time.Now().Add(time.Second)) // its queue may be full
		_, err = c.Write([]byte(state))
		c.Close()
	}
	if err != nil {
		u.log.Warn("upgrade: the service manager can't be told", "error", err)
	}
}

// reloading is the state of a program that is to be replaced, with its moment by the clock that the manager uses.
func reloading() string {
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", kernel.Monotonic()/1000)
}
