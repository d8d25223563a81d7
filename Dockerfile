# The sidecar alone: Redis and Postgres are given by DRAWDOWN_REDIS_URL and DRAWDOWN_POSTGRES_URL.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN npx tsc -p tsconfig.json

FROM node:24-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without the optional packages: they are the embedded Postgres, which a container does not run.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json catalog.yaml LICENSE ./
COPY proto ./proto
COPY lua ./lua
COPY src/postgres/migrations ./src/postgres/migrations
USER node
EXPOSE 50051 9464
# node is process 1 and gets SIGTERM itself; it drains within drainTimeoutMs.
# Events in flight outlive a small young generation: 64 MB of it halve the time of garbage collection.
ENTRYPOINT ["node", "--max-semi-space-size=64", "dist/main.js"]
