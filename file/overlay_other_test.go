//go:build !linux

package file_test

import (
	"errors"
	"testing"
)

func overlay(testing.TB) (string, error) { return "", errors.ErrUnsupported }
