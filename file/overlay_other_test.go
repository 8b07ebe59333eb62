//go:build !linux

package file_test

import (
	"errors"
	"testing"
)

func overlay(*testing.T) (string, error) { return "", errors.ErrUnsupported }
