//go:build !race

package index

const fewer = 1
