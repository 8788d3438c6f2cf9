// Package packagetest looks into the packages that scripts/package built, with Go alone, so that no package manager of
// another distribution is needed. SHIPLOG_PACKAGES names their folder; without it the tests are skipped.
//
//	scripts/package --out /tmp/p && SHIPLOG_PACKAGES=/tmp/p go test ./scripts/packagetest
package packagetest
