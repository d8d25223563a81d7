// Original file: proto/drawdown/v1/catalog_service.proto

export const PublishOutcome = {
  PUBLISH_OUTCOME_UNSPECIFIED: 'PUBLISH_OUTCOME_UNSPECIFIED',
  PUBLISH_OUTCOME_PUBLISHED: 'PUBLISH_OUTCOME_PUBLISHED',
  PUBLISH_OUTCOME_UNCHANGED: 'PUBLISH_OUTCOME_UNCHANGED',
  PUBLISH_OUTCOME_REFUSED: 'PUBLISH_OUTCOME_REFUSED',
} as const;

export type PublishOutcome =
  | 'PUBLISH_OUTCOME_UNSPECIFIED'
  | 0
  | 'PUBLISH_OUTCOME_PUBLISHED'
  | 1
  | 'PUBLISH_OUTCOME_UNCHANGED'
  | 2
  | 'PUBLISH_OUTCOME_REFUSED'
  | 3

export type PublishOutcome__Output = typeof PublishOutcome[keyof typeof PublishOutcome]
