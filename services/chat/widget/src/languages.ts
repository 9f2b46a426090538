// What the widget says, in eight languages. A language that is not here falls back to English; a regional one to its
// language. {n} and {name} are filled in.

const en = {
  open: 'Open chat', close: 'Close chat', title: 'Chat with us', greeting: 'Hello! How can we help?',
  placeholder: 'Write a message', send: 'Send', messages: 'Messages', you: 'You', agent: 'Support', desk: 'Automatic reply',
  typing: '{name} is typing…', read: 'Read',
  attach: 'Attach files', attachments: 'Attachments', detach: 'Remove {name}', drop: 'Drop files here to attach them',
  large: 'A file has at most 10 MB.', many: 'A message has at most 10 files.', unreadable: 'It is empty or cannot be read.',
  sending: 'Sending…', waiting: 'Waiting to be sent', failed: 'Not sent', retry: 'Try again', remove: 'Remove',
  online: 'We are here', connecting: 'Connecting…', offline: 'You are offline', away: 'Reconnecting…',
  limited: 'One moment…', refused: 'Not available',
  offlineNotice: 'You are offline. What you write is kept here and sent when you are back.',
  awayNotice: 'We cannot be reached right now. What you write is kept here and sent as soon as we are back.',
  limitedNotice: 'That was a lot at once. Sending goes on in a moment by itself.',
  refusedNotice: 'The chat is not available on this page at the moment.',
  memoryNotice: 'This browser keeps nothing: what waits to be sent is lost when you close this page.',
  closedNotice: 'This conversation has ended. Write to open it again.',
  older: 'Show earlier messages', unread: '{n} unread', today: 'Today', soundOn: 'Turn sound on', soundOff: 'Turn sound off',
  long: 'A message has at most 10,000 characters.',
};

export type Words = typeof en;

const de: Words = {
  open: 'Chat öffnen', close: 'Chat schließen', title: 'Chatten Sie mit uns', greeting: 'Hallo! Wie können wir helfen?',
  placeholder: 'Nachricht schreiben', send: 'Senden', messages: 'Nachrichten', you: 'Sie', agent: 'Support', desk: 'Automatische Antwort',
  typing: '{name} schreibt …', read: 'Gelesen',
  attach: 'Dateien anhängen', attachments: 'Anhänge', detach: '{name} entfernen', drop: 'Dateien hier ablegen, um sie anzuhängen',
  large: 'Eine Datei hat höchstens 10 MB.', many: 'Eine Nachricht hat höchstens 10 Dateien.', unreadable: 'Sie ist leer oder kann nicht gelesen werden.',
  sending: 'Wird gesendet …', waiting: 'Wartet auf das Senden', failed: 'Nicht gesendet', retry: 'Erneut versuchen', remove: 'Entfernen',
  online: 'Wir sind da', connecting: 'Verbindung wird aufgebaut …', offline: 'Sie sind offline', away: 'Verbindung wird wiederhergestellt …',
  limited: 'Einen Moment …', refused: 'Nicht verfügbar',
  offlineNotice: 'Sie sind offline. Was Sie schreiben, bleibt hier und wird gesendet, sobald Sie wieder online sind.',
  awayNotice: 'Wir sind gerade nicht erreichbar. Was Sie schreiben, bleibt hier und wird gesendet, sobald wir zurück sind.',
  limitedNotice: 'Das war viel auf einmal. Gleich geht es von selbst weiter.',
  refusedNotice: 'Der Chat ist auf dieser Seite zurzeit nicht verfügbar.',
  memoryNotice: 'Dieser Browser speichert nichts: Was noch nicht gesendet ist, geht beim Schließen der Seite verloren.',
  closedNotice: 'Dieses Gespräch ist beendet. Schreiben Sie, um es wieder zu öffnen.',
  older: 'Frühere Nachrichten anzeigen', unread: '{n} ungelesen', today: 'Heute', soundOn: 'Ton einschalten', soundOff: 'Ton ausschalten',
  long: 'Eine Nachricht hat höchstens 10.000 Zeichen.',
};

const fr: Words = {
  open: 'Ouvrir le chat', close: 'Fermer le chat', title: 'Discutez avec nous', greeting: 'Bonjour ! Comment pouvons-nous vous aider ?',
  placeholder: 'Écrire un message', send: 'Envoyer', messages: 'Messages', you: 'Vous', agent: 'Assistance', desk: 'Réponse automatique',
  typing: '{name} écrit…', read: 'Lu',
  attach: 'Joindre des fichiers', attachments: 'Pièces jointes', detach: 'Retirer {name}', drop: 'Déposez ici les fichiers à joindre',
  large: 'Un fichier fait au plus 10 Mo.', many: 'Un message compte au plus 10 fichiers.', unreadable: 'Il est vide ou illisible.',
  sending: 'Envoi…', waiting: 'En attente d’envoi', failed: 'Non envoyé', retry: 'Réessayer', remove: 'Supprimer',
  online: 'Nous sommes là', connecting: 'Connexion…', offline: 'Vous êtes hors ligne', away: 'Reconnexion…',
  limited: 'Un instant…', refused: 'Indisponible',
  offlineNotice: 'Vous êtes hors ligne. Vos messages sont conservés ici et seront envoyés à votre retour.',
  awayNotice: 'Nous sommes injoignables pour le moment. Vos messages sont conservés ici et seront envoyés dès notre retour.',
  limitedNotice: 'Beaucoup de messages à la fois. L’envoi reprendra tout seul dans un instant.',
  refusedNotice: 'Le chat n’est pas disponible sur cette page pour le moment.',
  memoryNotice: 'Ce navigateur ne conserve rien : les messages en attente seront perdus à la fermeture de la page.',
  closedNotice: 'Cette conversation est terminée. Écrivez pour la rouvrir.',
  older: 'Afficher les messages précédents', unread: '{n} non lus', today: 'Aujourd’hui', soundOn: 'Activer le son', soundOff: 'Couper le son',
  long: 'Un message compte au plus 10 000 caractères.',
};

const es: Words = {
  open: 'Abrir el chat', close: 'Cerrar el chat', title: 'Chatee con nosotros', greeting: '¡Hola! ¿En qué podemos ayudarle?',
  placeholder: 'Escriba un mensaje', send: 'Enviar', messages: 'Mensajes', you: 'Usted', agent: 'Soporte', desk: 'Respuesta automática',
  typing: '{name} está escribiendo…', read: 'Leído',
  attach: 'Adjuntar archivos', attachments: 'Archivos adjuntos', detach: 'Quitar {name}', drop: 'Suelte aquí los archivos para adjuntarlos',
  large: 'Un archivo tiene como máximo 10 MB.', many: 'Un mensaje tiene como máximo 10 archivos.', unreadable: 'Está vacío o no se puede leer.',
  sending: 'Enviando…', waiting: 'Pendiente de envío', failed: 'No enviado', retry: 'Reintentar', remove: 'Quitar',
  online: 'Estamos aquí', connecting: 'Conectando…', offline: 'Está sin conexión', away: 'Reconectando…',
  limited: 'Un momento…', refused: 'No disponible',
  offlineNotice: 'Está sin conexión. Lo que escriba se guarda aquí y se enviará cuando vuelva.',
  awayNotice: 'Ahora mismo no se nos puede contactar. Lo que escriba se guarda aquí y se enviará en cuanto volvamos.',
  limitedNotice: 'Demasiados mensajes a la vez. El envío continuará solo en un momento.',
  refusedNotice: 'El chat no está disponible en esta página en este momento.',
  memoryNotice: 'Este navegador no guarda nada: lo pendiente de envío se pierde al cerrar la página.',
  closedNotice: 'Esta conversación ha terminado. Escriba para volver a abrirla.',
  older: 'Mostrar mensajes anteriores', unread: '{n} sin leer', today: 'Hoy', soundOn: 'Activar el sonido', soundOff: 'Desactivar el sonido',
  long: 'Un mensaje tiene como máximo 10.000 caracteres.',
};

const pt: Words = {
  open: 'Abrir o chat', close: 'Fechar o chat', title: 'Fale conosco', greeting: 'Olá! Como podemos ajudar?',
  placeholder: 'Escreva uma mensagem', send: 'Enviar', messages: 'Mensagens', you: 'Você', agent: 'Suporte', desk: 'Resposta automática',
  typing: '{name} está digitando…', read: 'Lida',
  attach: 'Anexar arquivos', attachments: 'Anexos', detach: 'Remover {name}', drop: 'Solte aqui os arquivos para anexá-los',
  large: 'Um arquivo tem no máximo 10 MB.', many: 'Uma mensagem tem no máximo 10 arquivos.', unreadable: 'Está vazio ou não pode ser lido.',
  sending: 'Enviando…', waiting: 'Aguardando envio', failed: 'Não enviada', retry: 'Tentar de novo', remove: 'Remover',
  online: 'Estamos aqui', connecting: 'Conectando…', offline: 'Você está offline', away: 'Reconectando…',
  limited: 'Um momento…', refused: 'Indisponível',
  offlineNotice: 'Você está offline. O que escrever fica guardado aqui e será enviado quando voltar.',
  awayNotice: 'Não estamos acessíveis agora. O que escrever fica guardado aqui e será enviado assim que voltarmos.',
  limitedNotice: 'Foram muitas mensagens de uma vez. O envio continua sozinho em um momento.',
  refusedNotice: 'O chat não está disponível nesta página no momento.',
  memoryNotice: 'Este navegador não guarda nada: o que aguarda envio se perde ao fechar a página.',
  closedNotice: 'Esta conversa terminou. Escreva para reabri-la.',
  older: 'Mostrar mensagens anteriores', unread: '{n} não lidas', today: 'Hoje', soundOn: 'Ativar o som', soundOff: 'Desativar o som',
  long: 'Uma mensagem tem no máximo 10.000 caracteres.',
};

const ar: Words = {
  open: 'فتح الدردشة', close: 'إغلاق الدردشة', title: 'تحدث معنا', greeting: 'مرحبًا! كيف يمكننا مساعدتك؟',
  placeholder: 'اكتب رسالة', send: 'إرسال', messages: 'الرسائل', you: 'أنت', agent: 'الدعم', desk: 'رد آلي',
  typing: '{name} يكتب الآن…', read: 'مقروءة',
  attach: 'إرفاق ملفات', attachments: 'المرفقات', detach: 'إزالة {name}', drop: 'أفلت الملفات هنا لإرفاقها',
  large: 'لا يتجاوز الملف 10 ميغابايت.', many: 'لا تتجاوز الرسالة 10 ملفات.', unreadable: 'الملف فارغ أو لا يمكن قراءته.',
  sending: 'جارٍ الإرسال…', waiting: 'في انتظار الإرسال', failed: 'لم تُرسل', retry: 'إعادة المحاولة', remove: 'إزالة',
  online: 'نحن هنا', connecting: 'جارٍ الاتصال…', offline: 'أنت غير متصل', away: 'جارٍ إعادة الاتصال…',
  limited: 'لحظة من فضلك…', refused: 'غير متاح',
  offlineNotice: 'أنت غير متصل. ما تكتبه محفوظ هنا وسيُرسل عند عودة الاتصال.',
  awayNotice: 'لا يمكن الوصول إلينا الآن. ما تكتبه محفوظ هنا وسيُرسل فور عودتنا.',
  limitedNotice: 'رسائل كثيرة دفعة واحدة. سيستمر الإرسال تلقائيًا بعد لحظات.',
  refusedNotice: 'الدردشة غير متاحة في هذه الصفحة حاليًا.',
  memoryNotice: 'هذا المتصفح لا يحفظ شيئًا: ما ينتظر الإرسال سيضيع عند إغلاق الصفحة.',
  closedNotice: 'انتهت هذه المحادثة. اكتب لفتحها من جديد.',
  older: 'عرض الرسائل السابقة', unread: '{n} غير مقروءة', today: 'اليوم', soundOn: 'تشغيل الصوت', soundOff: 'إيقاف الصوت',
  long: 'لا تتجاوز الرسالة 10000 حرف.',
};

const he: Words = {
  open: 'פתיחת הצ׳אט', close: 'סגירת הצ׳אט', title: 'דברו איתנו', greeting: 'שלום! איך אפשר לעזור?',
  placeholder: 'כתיבת הודעה', send: 'שליחה', messages: 'הודעות', you: 'את/ה', agent: 'תמיכה', desk: 'תשובה אוטומטית',
  typing: '{name} בהקלדה…', read: 'נקראה',
  attach: 'צירוף קבצים', attachments: 'קבצים מצורפים', detach: 'הסרת {name}', drop: 'שחררו כאן קבצים כדי לצרף אותם',
  large: 'בקובץ יש לכל היותר 10 מ״ב.', many: 'בהודעה יש לכל היותר 10 קבצים.', unreadable: 'הקובץ ריק או שאי אפשר לקרוא אותו.',
  sending: 'נשלח…', waiting: 'ממתינה לשליחה', failed: 'לא נשלחה', retry: 'ניסיון נוסף', remove: 'הסרה',
  online: 'אנחנו כאן', connecting: 'מתחבר…', offline: 'אין חיבור לרשת', away: 'מתחבר מחדש…',
  limited: 'רגע אחד…', refused: 'לא זמין',
  offlineNotice: 'אין חיבור לרשת. מה שתכתבו נשמר כאן ויישלח כשהחיבור יחזור.',
  awayNotice: 'אי אפשר להגיע אלינו כרגע. מה שתכתבו נשמר כאן ויישלח ברגע שנחזור.',
  limitedNotice: 'יותר מדי הודעות בבת אחת. השליחה תימשך מעצמה בעוד רגע.',
  refusedNotice: 'הצ׳אט אינו זמין בדף זה כרגע.',
  memoryNotice: 'הדפדפן הזה אינו שומר דבר: מה שממתין לשליחה יאבד בסגירת הדף.',
  closedNotice: 'השיחה הסתיימה. כתבו כדי לפתוח אותה מחדש.',
  older: 'הצגת הודעות קודמות', unread: '{n} שלא נקראו', today: 'היום', soundOn: 'הפעלת צליל', soundOff: 'השתקת צליל',
  long: 'בהודעה יש לכל היותר 10,000 תווים.',
};

const ja: Words = {
  open: 'チャットを開く', close: 'チャットを閉じる', title: 'チャットでお問い合わせ', greeting: 'こんにちは。どのようなご用件でしょうか。',
  placeholder: 'メッセージを入力', send: '送信', messages: 'メッセージ', you: 'あなた', agent: 'サポート', desk: '自動応答',
  typing: '{name}が入力中…', read: '既読',
  attach: 'ファイルを添付', attachments: '添付ファイル', detach: '{name} を削除', drop: 'ここにファイルをドロップして添付',
  large: 'ファイルは 10 MB までです。', many: '添付は 10 ファイルまでです。', unreadable: '空のファイルか、読み取れないファイルです。',
  sending: '送信中…', waiting: '送信待ち', failed: '送信できませんでした', retry: '再試行', remove: '削除',
  online: '対応できます', connecting: '接続中…', offline: 'オフラインです', away: '再接続中…',
  limited: '少々お待ちください…', refused: '利用できません',
  offlineNotice: 'オフラインです。入力した内容はここに保存され、接続が戻ると送信されます。',
  awayNotice: '現在つながりません。入力した内容はここに保存され、復旧しだい送信されます。',
  limitedNotice: '一度に多くのメッセージが送られました。まもなく自動的に再開します。',
  refusedNotice: '現在このページではチャットを利用できません。',
  memoryNotice: 'このブラウザーには保存できません。送信待ちの内容はページを閉じると失われます。',
  closedNotice: 'この会話は終了しました。メッセージを送ると再開します。',
  older: '以前のメッセージを表示', unread: '未読 {n} 件', today: '今日', soundOn: '音をオンにする', soundOff: '音をオフにする',
  long: 'メッセージは 10,000 文字までです。',
};

const all: Record<string, Words> = { en, de, fr, es, pt, ar, he, ja };

export interface Language {
  code: string; // as asked for: dates follow it
  words: Words;
  rtl: boolean;
}

/** choose takes the first of the wishes that is there. */
export function choose(wishes: (string | undefined | null)[]): Language {
  for (const wish of wishes) {
    const base = (wish ?? '').toLowerCase().split(/[-_]/)[0].replace('iw', 'he');
    if (Object.hasOwn(all, base)) return { code: (wish as string).replace('_', '-'), words: all[base], rtl: base === 'ar' || base === 'he' };
  }
  return { code: 'en', words: en, rtl: false };
}
