// Package httptext reads what fields of HTTP are made of. It knows nothing of Ringo.
package httptext
