module whichimage

go 1.27
