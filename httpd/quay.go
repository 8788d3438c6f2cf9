package httpd

func quayDialects(*Server) []*dialect { return nil }
