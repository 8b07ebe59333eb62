package logs

import (
	"fmt"
	"time"
)

// Config configures a Writer. Zero fields mean the default; a nil *Config means all defaults.
type Config struct {
	// Size is how many unwritten bytes a Writer buffers, 4096 to 1 GiB; the default is 1 MiB. Each write counts 32
	// bytes more than it has. Writes that do not fit are dropped.
	Size int
	// Patience is how long the end of a Run, a crash, and Close wait until the buffer has been written. The default is
	// 1 s; a negative value means that they don't wait. Bytes that take longer may be lost with the process.
	Patience time.Duration
	// Dropped returns the text to write in place of dropped writes, given their number and bytes. If the output does
	// not take the text, the next one counts these writes, too. Dropped runs on the Writer's goroutine. If it is nil,
	// the text is a line in English.
	Dropped func(writes, bytes uint64) []byte
}

const (
	sizeDefault     = 1 << 20
	sizeMin         = 4096
	sizeMax         = 1 << 30
	patienceDefault = time.Second
)

// resolve fills in the defaults. It panics if Size is out of range, as make does.
func (c *Config) resolve() Config {
	var r Config
	if c != nil {
		r = *c
	}
	if r.Size == 0 {
		r.Size = sizeDefault
	}
	if r.Size < sizeMin || r.Size > sizeMax {
		panic(fmt.Sprintf("logs: Config.Size is %d, and must be %d to %d", r.Size, sizeMin, sizeMax))
	}
	if r.Patience == 0 {
		r.Patience = patienceDefault
	}
	if r.Dropped == nil {
		r.Dropped = inEnglish
	}
	return r
}

func inEnglish(writes, bytes uint64) []byte {
	return fmt.Appendf(nil, "logs: dropped %d writes of %d bytes in all: the output was too slow\n", writes, bytes)
}
