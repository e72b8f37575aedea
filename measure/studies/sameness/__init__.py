"""Is an image that was built without emulation the same, file by file, as the one that was emulated?"""
