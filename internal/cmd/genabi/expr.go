package main

import (
	"strconv"
	"strings"
)

// A number is the value of a C constant expression. Of its type only one thing matters: whether it is a 32-bit unsigned
// integer, for ~0U.
type number struct {
	v   int64
	u32 bool
}

// evalExpr evaluates names, integers, parentheses, | + - << and the unary ~ and -, which is what the header uses.
// Or binds loosest, then shift, then sum, as in C.
func evalExpr(t *tokens, names map[string]int64) (number, error) {
	return evalBinary(t, names, 0)
}

var levels = [][]string{{"|"}, {"<<"}, {"+", "-"}}

func evalBinary(t *tokens, names map[string]int64, level int) (number, error) {
	if level == len(levels) {
		return evalUnary(t, names)
	}
	a, err := evalBinary(t, names, level+1)
	if err != nil {
		return number{}, err
	}
	for {
		op := ""
		for _, o := range levels[level] {
			if t.accept(o) {
				op = o
			}
		}
		if op == "" {
			return a, nil
		}
		b, err := evalBinary(t, names, level+1)
		if err != nil {
			return number{}, err
		}
		switch op {
		case "|":
			a.v |= b.v
		case "<<":
			a.v <<= b.v
		case "+":
			a.v += b.v
		case "-":
			a.v -= b.v
		}
		if op != "<<" {
			a.u32 = a.u32 || b.u32
		}
		if a.u32 {
			a.v = int64(uint32(a.v))
		}
	}
}

func evalUnary(t *tokens, names map[string]int64) (number, error) {
	switch {
	case t.accept("("):
		n, err := evalExpr(t, names)
		if err != nil {
			return n, err
		}
		return n, t.expect(")")
	case t.accept("~"):
		n, err := evalUnary(t, names)
		n.v = ^n.v
		if n.u32 {
			n.v = int64(uint32(n.v))
		}
		return n, err
	case t.accept("-"):
		n, err := evalUnary(t, names)
		n.v = -n.v
		return n, err
	}
	word := t.next()
	if v, ok := names[word]; ok {
		return number{v: v, u32: v >= 0 && v <= 1<<32-1}, nil
	}
	digits := strings.TrimRight(word, "UuLl")
	v, err := strconv.ParseInt(digits, 0, 64)
	if err != nil {
		t.pos--
		return number{}, t.errorf("not a number or a known name: %q", word)
	}
	suffix := strings.ToUpper(word[len(digits):])
	return number{v: v, u32: suffix == "U"}, nil
}
