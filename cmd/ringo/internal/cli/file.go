package cli

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/BurntSushi/toml"
)

// Repeated is a flag that may be given more than once; in a file it may have a list.
type Repeated interface {
	flag.Value
	Repeats()
}

// ReadFlags sets the flags that a TOML file names as its keys. It leaves those that the command line has set, and
// refuses the flags in alone, which are for the command line only.
func ReadFlags(fs *flag.FlagSet, name string, alone ...string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	said := map[string]any{}
	if err := toml.Unmarshal(text, &said); err != nil {
		if at := (toml.ParseError{}); errors.As(err, &at) {
			return Usage("%s:%d: %s", name, at.Position.Line, at.Message)
		}
		return Usage("%s: %w", name, err)
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var m Mistakes
	for _, key := range slices.Sorted(maps.Keys(said)) {
		if fs.Lookup(key) == nil || slices.Contains(alone, key) {
			m.Want(false, "%s: %s: want the name of a flag that may be in a file", name, key)
		} else if !given[key] {
			err := setFlag(fs, key, said[key])
			m.Want(err == nil, "%s: %s: %v", name, key, err)
		}
	}
	return m.Err()
}

// setFlag sets a flag to its value in the file, or to each of a list.
func setFlag(fs *flag.FlagSet, name string, v any) error {
	values, list := v.([]any)
	if _, repeats := fs.Lookup(name).Value.(Repeated); list && !repeats {
		return errors.New("want one value, and no list")
	} else if !list {
		values = []any{v}
	}
	for _, v := range values {
		switch v.(type) {
		case string, bool, int64, float64:
		default:
			return fmt.Errorf("want a string, a number, true or false, not %v", v)
		}
		if err := fs.Set(name, fmt.Sprint(v)); err != nil {
			return fmt.Errorf("%v: %w", v, err)
		}
	}
	return nil
}
