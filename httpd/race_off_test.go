//go:build !race

package httpd

const fewer = 1
