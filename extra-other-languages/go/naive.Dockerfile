FROM golang:1.27-trixie

WORKDIR /app

COPY . .
RUN go build -o server .

EXPOSE 8000

CMD ["./server"]
