package logs

import (
	"fmt"
	"time"
)

// Config says how a Writer goes about it. Zero fields mean the default, nil all of them.
type Config struct {
	// Size is how many bytes a Writer holds that are not written yet: 1 MiB; 4096 to 1 GiB. Each write counts
	// for 32 bytes more than it has. What has no room is dropped.
	Size int
	// Patience is how long the end of a Run, a crash, and Close wait until what is held has been written: 1 s;
	// negative, not at all. What takes longer may be lost with the process.
	Patience time.Duration
	// Dropped makes the text that stands for writes that were dropped, of so many bytes in all. It runs on the Writer's
	// goroutine. nil: a line in English.
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
