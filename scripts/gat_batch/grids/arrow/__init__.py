"""GAT Arrow datasets: a folder of Arrow IPC files with a manifest of checksums."""
