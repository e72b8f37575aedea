FROM node:24-trixie

WORKDIR /app

COPY . .
RUN npm install
RUN npm run build
ARG VARIANT
RUN node image.js > dist/image.json

EXPOSE 8000

CMD ["npm", "run", "preview"]
