package kernel_test

import (
	"testing"

	"ringo/internal/test/kerneltest"
)

func TestContract(t *testing.T) { kerneltest.Run(t, kerneltest.Host) }
