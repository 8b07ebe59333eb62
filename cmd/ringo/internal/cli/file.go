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

// Repeated is a flag that may be given more than once, and in a file has a list.
type Repeated interface {
	flag.Value
	Repeats()
}

// ReadFlags sets flags by a file of TOML, whose keys are their names. What the command line says of a flag holds, and
// those of alone are for it only.
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

// setFlag sets a flag to what TOML has for it.
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
