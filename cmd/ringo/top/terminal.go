package top

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"ringo/cmd/ringo/internal/cli"
)

// terminal is the user's terminal while ringo top draws on it. It sets the modes by the program stty, which every Unix
// has.
type terminal struct {
	out  *os.File
	was  string // its modes before, from stty -g; "": they were not changed
	keys chan byte
}

// obeys reports whether a terminal understands the escape sequences that draw sends.
func obeys(out *os.File) bool {
	_, _, ok := cli.Terminal(out)
	return ok && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

func stty(args ...string) (string, error) {
	c := exec.Command("stty", args...)
	c.Stdin = os.Stdin
	text, err := c.Output()
	return strings.TrimSpace(string(text)), err
}

// takeTerminal takes the terminal, and begins to read keys.
func takeTerminal(out *os.File) *terminal {
	t := &terminal{out: out, keys: make(chan byte)}
	t.take()
	go t.read()
	return t
}

// take switches to the alternate screen, and to modes in which keys arrive when they are pressed.
func (t *terminal) take() {
	t.was = ""
	if was, err := stty("-g"); err == nil {
		if _, err := stty("-icanon", "-echo", "min", "1"); err == nil {
			t.was = was
		}
	}
	fmt.Fprint(t.out, "\x1b[?1049h\x1b[?25l")
}

// giveBack restores the screen and the modes.
func (t *terminal) giveBack() {
	fmt.Fprint(t.out, "\x1b[?25h\x1b[?1049l")
	if t.was != "" {
		stty(t.was)
	}
}

// read sends the keys to a channel, until stdin ends. The goroutine is not ended otherwise, but by the process.
func (t *terminal) read() {
	r := bufio.NewReader(os.Stdin)
	for {
		key, err := r.ReadByte()
		if err != nil {
			return
		}
		t.keys <- key
	}
}

// draw overwrites the screen, without clearing it first so that nothing flickers. Lines with an index in red are red.
func (t *terminal) draw(lines []string, red map[int]bool) {
	var b bytes.Buffer
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if red[i] {
			line = "\x1b[31m" + line + "\x1b[0m"
		}
		b.WriteString(line)
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	t.out.Write(b.Bytes())
}
