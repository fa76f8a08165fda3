"""JOSE formats without I/O: the algorithm table, JSON Web Keys and JSON Web Signatures."""
