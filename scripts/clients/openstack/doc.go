// Package openstack lets OpenStack's own clients use the journal of a running shiplog: gophercloud, and Debian's
// keystoneauth1 where python3 has it. It is a module of its own, so that they are no dependency of the product.
//
//	go test ./...                                   builds shiplog first
//	SHIPLOG_BINARY=/usr/bin/shiplog go test ./...   takes this one
package openstack
