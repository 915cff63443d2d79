"""What Tocsin promises, in sentences: each test's name is one of them."""
