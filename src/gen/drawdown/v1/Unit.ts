// Original file: proto/drawdown/v1/types.proto

export const Unit = {
  UNIT_UNSPECIFIED: 'UNIT_UNSPECIFIED',
  UNIT_CREDITS: 'UNIT_CREDITS',
  UNIT_TTS_CHARACTERS: 'UNIT_TTS_CHARACTERS',
  UNIT_LLM_MESSAGES: 'UNIT_LLM_MESSAGES',
} as const;

export type Unit =
  | 'UNIT_UNSPECIFIED'
  | 0
  | 'UNIT_CREDITS'
  | 1
  | 'UNIT_TTS_CHARACTERS'
  | 2
  | 'UNIT_LLM_MESSAGES'
  | 3

export type Unit__Output = typeof Unit[keyof typeof Unit]
