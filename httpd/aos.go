package httpd

func aosDialects(*Server) []*dialect { return nil }
