package differ

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"ringo"
	"ringo/internal/posix"
)

// ErrChanClosed is the error of a closed channel.
var ErrChanClosed = errors.New("the channel is closed")

// classes give errors names that are the same on every machine. The first that fits counts.
var classes = []struct {
	err  error
	name string
}{
	{ErrChanClosed, "channel closed"},
	{ringo.ErrClosed, "channel closed"},
	{context.Canceled, "cancelled"},
	{os.ErrDeadlineExceeded, "timeout"},
	{context.DeadlineExceeded, "timeout"},
	{io.EOF, "EOF"},
	{io.ErrUnexpectedEOF, "unexpected EOF"},
	{net.ErrClosed, "closed"},
	{fs.ErrClosed, "closed"},
	{bufio.ErrBufferFull, "buffer full"},
	{posix.ECONNREFUSED, "refused"},
	{posix.ECONNRESET, "reset"},
	{posix.EPIPE, "broken pipe"},
	{errOwn, "own"},
}

// errOwn is an error that programs return from their own functions.
var errOwn = errors.New("the program's own")

// class returns an error's class: its name in classes, else the kernel's error, else its whole text.
func class(err error) string {
	if err == nil {
		return "ok"
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	var number posix.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return fmt.Sprintf("%q", err)
}
