"""Where the time and the memory of a bundle go: by layer, by stage, beside other bundles."""
