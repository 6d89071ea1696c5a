"""What is fast, shown: `make bench`, each number beside what people would have done instead."""
