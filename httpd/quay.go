package httpd

import "net/http"

// quay is the usage logs API of the Quay registry (seed 002): for the caller's own namespace, an organization
// or a repository a list, counts per day and an export.
type quay struct{ s *Server }

// The three families of paths, and what a page or an export is about.
const (
	quayUser         = "user"
	quayOrganization = "organization"
	quayRepository   = "repository"
)

// quayDialects are the prefixes of the registry's API; the rest of /api/v1 is another product's.
func quayDialects(s *Server) []*dialect {
	q := quay{s}
	one := func(prefix string, routes ...route) *dialect {
		return &dialect{name: "quay", prefix: prefix, fail: failQuay, routes: routes}
	}
	return []*dialect{
		one("/api/v1/user", q.family(quayUser, "/api/v1/user")...),
		one("/api/v1/organization", q.family(quayOrganization, "/api/v1/organization/{orgname}")...),
		one("/api/v1/repository", q.family(quayRepository, "/api/v1/repository/{repository...}")...),
		one("/api/v1/error", route{method: http.MethodGet, path: "/api/v1/error/{type}", handler: q.explain}),
		one(exportPath, route{method: http.MethodGet, path: exportPath + "/{file}", handler: q.download, slow: true}),
	}
}

// family are the routes of one family.
func (q quay) family(family, path string) []route {
	return []route{
		{method: http.MethodGet, path: path + "/logs", handler: q.list(family)},
		{method: http.MethodGet, path: path + "/aggregatelogs", handler: q.aggregate(family)},
		{method: http.MethodPost, path: path + "/exportlogs", handler: q.export(family), body: maxExportBody},
	}
}
