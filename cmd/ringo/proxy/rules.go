package proxy

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A rule sets the values of a field of a head, or deletes the field if they are nil.
type rule struct {
	name   string
	values []string
}

// rules are the rules for requests, or for answers.
type rules struct {
	fields []rule
	host   string // to send in requests; "": the client's
}

// ruleFlags adds the flags of the rules for requests and for answers.
func ruleFlags(fs *flag.FlagSet, asked, answered *rules) {
	const again = "; twice with a NAME for two fields; repeatable"
	set := func(rs *rules, host bool) ruleFlag { return func(text string) error { return rs.set(text, host) } }
	fs.Var(set(asked, true), "set-header", "have requests of -http go on with this field, `'NAME: VALUE'`, in the "+
		"place of the client's"+again)
	fs.Var(ruleFlag(asked.del), "del-header", "have them go on without the fields of this `NAME`; repeatable")
	fs.Var(set(answered, false), "set-answer-header", "have upstreams' answers go back with this field, "+
		"`'NAME: VALUE'`, in the place of theirs"+again)
	fs.Var(ruleFlag(answered.del), "del-answer-header", "have them go back without the fields of this `NAME`; "+
		"repeatable")
}

// A ruleFlag is a flag whose values make rules.
type ruleFlag func(text string) error

func (f ruleFlag) String() string        { return "" } // no default
func (f ruleFlag) Set(text string) error { return f(text) }

// Repeats implements cli.Repeated.
func (f ruleFlag) Repeats() {}

// ruleNames are the names of the flags of ruleFlags.
var ruleNames = []string{"set-header", "del-header", "set-answer-header", "del-answer-header"}

// tokens are the characters of a field's name: RFC 9110, section 5.6.2.
const tokens = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// set parses 'NAME: VALUE' and adds it. Values of the same name add up. host says whether NAME may be Host.
func (rs *rules) set(text string, host bool) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("want 'NAME: VALUE'")
	}
	value = strings.Trim(value, " \t")
	if i := strings.IndexFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); i >= 0 {
		return fmt.Errorf("value %q: want no control characters", value)
	}
	if host && strings.EqualFold(name, "Host") {
		return rs.setHost(value)
	}
	name, err := nameOfRule(name)
	if err != nil {
		return err
	}
	at := rs.index(name)
	switch {
	case at < 0:
		rs.fields = append(rs.fields, rule{name, []string{value}})
	case rs.fields[at].values == nil:
		return errSetAndDeleted
	default:
		rs.fields[at].values = slices.Clip(append(rs.fields[at].values, value))
	}
	return nil
}

var errSetAndDeleted = errors.New("it is set and deleted")

// setHost sets the host of requests, which can only be one.
func (rs *rules) setHost(value string) error {
	if rs.host != "" {
		return errors.New("the field Host is there twice")
	}
	if value == "" || strings.Trim(value, hostChars) != "" {
		return fmt.Errorf("value %q of Host: want a host, or HOST:PORT", value)
	}
	rs.host = value
	return nil
}

const hostChars = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._:[]"

// del adds a rule that deletes the fields of a name.
func (rs *rules) del(name string) error {
	name, err := nameOfRule(name)
	if err != nil {
		return err
	}
	switch at := rs.index(name); {
	case at < 0:
		rs.fields = append(rs.fields, rule{name, nil})
	case rs.fields[at].values != nil:
		return errSetAndDeleted
	}
	return nil
}

func (rs *rules) index(name string) int {
	return slices.IndexFunc(rs.fields, func(of rule) bool { return of.name == name })
}

// nameOfRule returns a name in canonical form. It refuses names of fields that the proxy itself sets: with another
// value the peer could read a message in another way, or of another length, than the proxy.
func nameOfRule(name string) (string, error) {
	if name == "" || strings.Trim(name, tokens) != "" {
		return "", fmt.Errorf("%q is no name of a field", name)
	}
	name = http.CanonicalHeaderKey(name)
	for _, own := range append([]string{"Content-Length", "Expect", "Host"}, ofConnection...) {
		if sameField(name, own) {
			return "", fmt.Errorf("%s is for the proxy alone to say", own)
		}
	}
	return name, nil
}

// apply changes a head by the rules. Without rules it costs nothing.
func (rs *rules) apply(h http.Header) {
	for _, of := range rs.fields {
		for name := range h {
			if sameField(name, of.name) {
				delete(h, name)
			}
		}
		h[of.name] = of.values // nil also keeps others from adding one of their own
	}
}

// sameField reports whether two names are equal but for case. It takes _ for -, since some servers don't tell the two
// apart.
func sameField(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldName(a[i]) != foldName(b[i]) {
			return false
		}
	}
	return true
}

func foldName(c byte) byte {
	switch {
	case c == '_':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}
