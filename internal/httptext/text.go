package httptext

import "strings"

// Trim removes the blanks around a field value: RFC 9110, section 5.6.3.
func Trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// EqualFold reports whether s, with ASCII letters in lower case, equals lower.
func EqualFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// HasToken reports whether one of a field's lists contains a token, which is in lower case.
func HasToken(values []string, token string) bool {
	for _, v := range values {
		for more := true; more; {
			var one string
			one, v, more = strings.Cut(v, ",")
			if EqualFold(Trim(one), token) {
				return true
			}
		}
	}
	return false
}
