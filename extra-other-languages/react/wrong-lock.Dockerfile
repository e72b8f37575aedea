FROM --platform=$BUILDPLATFORM node:24-trixie AS builder
WORKDIR /src
COPY package.json package-lock.json ./
# What somebody does who changes a version by hand, and forgets `npm install`.
RUN npm pkg set devDependencies.vite=8.3.7
RUN --mount=type=cache,target=/root/.npm npm ci
COPY *.js index.html ./
COPY public public
COPY src src
RUN npm test && npm run build

FROM nginx:1.31-alpine-slim
COPY --chmod=644 nginx.conf /etc/nginx/nginx.conf
COPY --from=builder --chmod=755 /src/dist /usr/share/nginx/html
USER 10001
EXPOSE 8000
