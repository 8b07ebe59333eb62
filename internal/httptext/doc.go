// Package httptext parses the parts that HTTP fields consist of. It does not depend on the rest of Ringo.
package httptext
