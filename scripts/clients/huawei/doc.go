// Package huawei lets Huawei Cloud's own Go SDK list the container image log of a running shiplog. It is a
// module of its own, so that the SDK (46 MiB zipped) is no dependency of the product.
//
//	go test ./...                                   builds shiplog first
//	SHIPLOG_BINARY=/usr/bin/shiplog go test ./...   takes this one
package huawei
