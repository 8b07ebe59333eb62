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

// ErrChanClosed is of channels that are closed.
var ErrChanClosed = errors.New("the channel is closed")

// classes are what can be told of errors that is the same everywhere, the first that fits.
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

// errOwn is an error of a program's own.
var errOwn = errors.New("the program's own")

// class is an error's class: a word where there is one, else the kernel's error, else all of its text.
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
