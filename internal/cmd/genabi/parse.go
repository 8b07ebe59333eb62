package main

import (
	"fmt"
	"strings"
)

// A header is what was found in the C header, in its order.
type header struct {
	consts  [][]constant // one group per enum, one for the defines
	structs []*record
}

type constant struct {
	name  string
	value int64
	hex   bool
}

// A record is a struct or a union.
type record struct {
	name    string // "" if anonymous
	union   bool
	members []member
	size    int
	align   int
}

type member struct {
	name   string // "" if an anonymous struct or union
	scalar string // Go type of a scalar, or
	rec    *record
	count  int // array length; -1 if not an array, 0 if flexible
	offset int
}

// scalars maps the C types to Go types. The size of a Go type is also its alignment.
var scalars = map[string]string{
	"__u8": "uint8", "__u16": "uint16", "__u32": "uint32", "__u64": "uint64", "__aligned_u64": "uint64",
	"__s32": "int32",
}

var scalarSize = map[string]int{"uint8": 1, "uint16": 2, "uint32": 4, "int32": 4, "uint64": 8}

// timespec is the one struct that comes from another header, linux/time_types.h; supplement.go has its Go form.
var timespec = &record{name: "__kernel_timespec", size: 16, align: 8}

type parser struct {
	*tokens
	names   map[string]int64
	records map[string]*record
	out     header
}

func parse(src string) (*header, error) {
	rest, defs, err := preprocess(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokenize(rest, 1), names: map[string]int64{},
		records: map[string]*record{timespec.name: timespec}}
	for p.peek() != "" {
		if err := p.declaration(); err != nil {
			return nil, err
		}
	}
	if err := p.defines(defs); err != nil {
		return nil, err
	}
	return &p.out, nil
}

func (p *parser) declaration() error {
	switch word := p.next(); word {
	case "enum":
		if p.peek() != "{" {
			p.next()
		}
		return p.enum()
	case "struct":
		r, err := p.record(p.next(), false)
		if err != nil {
			return err
		}
		if err := r.layout(); err != nil {
			return err
		}
		p.records[r.name] = r
		p.out.structs = append(p.out.structs, r)
		return p.expect(";")
	default:
		p.pos--
		return p.errorf("want enum or struct, got %q", word)
	}
}

func (p *parser) enum() error {
	if err := p.expect("{"); err != nil {
		return err
	}
	var group []constant
	for next := int64(0); !p.accept("}"); next++ {
		name := p.next()
		if p.accept("=") {
			n, err := evalExpr(p.tokens, p.names)
			if err != nil {
				return err
			}
			next = n.v
		}
		p.names[name] = next
		group = append(group, constant{name: name, value: next})
		if !p.accept(",") && p.peek() != "}" {
			return p.errorf("want , or } after %s, got %q", name, p.peek())
		}
	}
	p.out.consts = append(p.out.consts, group)
	return p.expect(";")
}

// record parses the braces of a struct or union and what is in them.
func (p *parser) record(name string, union bool) (*record, error) {
	r := &record{name: name, union: union}
	if err := p.expect("{"); err != nil {
		return nil, err
	}
	for !p.accept("}") {
		m, err := p.member()
		if err != nil {
			return nil, err
		}
		r.members = append(r.members, m)
	}
	return r, nil
}

func (p *parser) member() (member, error) {
	m := member{count: -1}
	typ := p.next()
	switch {
	case typ == "union" || typ == "struct" && p.peek() == "{":
		rec, err := p.record("", typ == "union")
		if err != nil {
			return m, err
		}
		m.rec = rec
		if p.accept("__attribute__") { // packed, on a union of two __u16: changes nothing here
			if err := p.expect("(", "(", "packed", ")", ")"); err != nil {
				return m, err
			}
		}
		return m, p.expect(";")
	case typ == "__DECLARE_FLEX_ARRAY":
		if err := p.expect("(", "struct"); err != nil {
			return m, err
		}
		m.rec = p.records[p.next()]
		if err := p.expect(","); err != nil {
			return m, err
		}
		m.name, m.count = p.next(), 0
		return m, p.expect(")", ";")
	case typ == "struct":
		if m.rec = p.records[p.peek()]; m.rec == nil {
			return m, p.errorf("unknown struct %s", p.peek())
		}
		p.next()
	case scalars[typ] != "":
		m.scalar = scalars[typ]
	default:
		p.pos--
		return m, p.errorf("unknown type %q", typ)
	}
	m.name = p.next()
	if p.accept("[") {
		m.count = 0
		if p.peek() != "]" {
			n, err := evalExpr(p.tokens, p.names)
			if err != nil {
				return m, err
			}
			m.count = int(n.v)
		}
		if err := p.expect("]"); err != nil {
			return m, err
		}
	}
	return m, p.expect(";")
}

func (p *parser) defines(defs []define) error {
	var group []constant
	for _, d := range defs {
		t := tokenize(d.expr, d.line)
		n, err := evalExpr(t, p.names)
		if err == nil && t.peek() != "" {
			err = t.errorf("%q left over", t.peek())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		p.names[d.name] = n.v
		group = append(group, constant{name: d.name, value: n.v, hex: true})
	}
	p.out.consts = append(p.out.consts, group)
	return nil
}

// goName returns the exported Go name of a C name, and _ for members that C programs must leave alone.
func goName(c string) string {
	if strings.HasPrefix(c, "__kernel") {
		c = strings.TrimPrefix(c, "__")
	}
	if strings.HasPrefix(c, "_") {
		return "_"
	}
	return strings.ToUpper(c[:1]) + c[1:]
}
